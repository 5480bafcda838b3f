/** The steps of a call in their order; of `handler`, pipes and the host's interceptors are a part. */
export const stages = ['quote', 'credential', 'policy', 'hold', 'handler', 'settle', 'post'] as const;

/** One step of a call. */
export type Stage = (typeof stages)[number];

/** The place of each stage in `stages`. */
export const stageIndex = Object.fromEntries(stages.map((stage, index) => [stage, index])) as Record<Stage, number>;
