/** The workspace, from the root of the repository, which is the working directory of the build. */
export const home = 'packages/docs';

/** Where the site is written. */
export const output: string = `${home}/dist/site`;
