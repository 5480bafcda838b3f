/** Eleventy comes without types: these are the parts that the build uses. */
declare module '@11ty/eleventy' {
  /** What a template knows while it is rendered. */
  export interface TemplateData {
    readonly page: { readonly inputPath: string };
  }

  /** The configuration that Eleventy hands out. */
  export interface UserConfig {
    addTemplate(path: string, content: string, data?: Readonly<Record<string, unknown>>): void;
    addGlobalData(name: string, value: unknown): void;
    addPassthroughCopy(paths: Readonly<Record<string, string>>): void;
    setLibrary(extension: string, library: unknown): void;
    setQuietMode(isQuiet: boolean): void;
    setTemplateFormats(formats: readonly string[]): void;
  }

  export interface EleventySettings {
    readonly configPath: string;
  }

  /** One build. */
  export class Eleventy {
    constructor(input: string, output: string, settings: EleventySettings);
    write(): Promise<unknown>;
  }
}
