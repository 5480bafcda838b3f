/** Tells a line of the story, with what it took. */
export type Tell = (line: string, detail?: string) => void;
