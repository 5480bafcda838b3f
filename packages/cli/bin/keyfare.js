#!/usr/bin/env node
import { main } from '../dist/src/program.js';

await main();
