import { fastify } from 'fastify';

/** The peer: the same answer by Fastify alone, with no framework, no log and no gate. */
const answer = { city: 'Berlin', sunrise: '2026-11-21T06:33:41.000Z', sunset: '2026-11-21T15:06:12.000Z' };
const app = fastify();
const large = Buffer.alloc(8 * 1_024 * 1_024, 'x');
app.get('/free', () => answer);
app.get('/large', (_request, reply) => reply.send(large));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ url, secret: '' });
