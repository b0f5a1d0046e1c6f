// Over which time charts go, in which steps, and what is drawn of it.

import type { components } from '../../api/schema';

export type Point = components['schemas']['StatisticsPoint'];

export const periods = ['hour', 'day', 'week', 'month', 'year'] as const;
export type Period = (typeof periods)[number];
export type Step = 'minute' | 'hour' | 'day';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const lengths: Record<Period, { length: number; step: Step }> = {
    hour: { length: HOUR, step: 'minute' },
    day: { length: DAY, step: 'minute' },
    week: { length: 7 * DAY, step: 'hour' },
    month: { length: 30 * DAY, step: 'hour' },
    year: { length: 365 * DAY, step: 'day' },
};

const steps: Record<Step, number> = { minute: MINUTE, hour: HOUR, day: DAY };

export interface Range {
    /** Milliseconds since 1970; on the step. */
    readonly from: number;
    readonly to: number;
    readonly step: Step;
}

/** The period that ends with the step that is going on. */
export function range(period: Period, now: number): Range {
    const { length, step } = lengths[period];
    const each = steps[step];
    const to = Math.floor(now / each) * each + each;
    return { from: to - length, to, step };
}

/** Columns for a chart: a time for every step, nothing where nothing was. */
export interface Columns {
    /** Seconds since 1970. */
    readonly at: number[];
    readonly calls: number[];
    readonly answered: number[];
    readonly asr: (number | null)[];
    readonly pddMedian: (number | null)[];
    readonly pdd95: (number | null)[];
    readonly mos: (number | null)[];
    readonly mos5: (number | null)[];
    readonly once: number[];
    readonly minutes: number[];
}

/** Spreads points over all steps of a range. Steps nobody called in have no calls, and no ratio. */
export function columns(points: readonly Point[], { from, to, step }: Range): Columns {
    const known = new Map(points.map((point) => [Date.parse(point.at), point]));
    const at: number[] = [];
    for (let time = from; time < to; time += steps[step]) at.push(time / 1000);
    const each = <T>(read: (point: Point) => T, none: T): T[] =>
        at.map((time) => {
            const point = known.get(time * 1000);
            return point ? read(point) : none;
        });
    return {
        at,
        calls: each((point) => point.calls, 0),
        answered: each((point) => point.answered, 0),
        asr: each<number | null>((point) => point.answer_seizure_ratio, null),
        pddMedian: each<number | null>((point) => point.post_dial_delay_p50_ms, null),
        pdd95: each<number | null>((point) => point.post_dial_delay_p95_ms, null),
        mos: each<number | null>((point) => point.mos, null),
        mos5: each<number | null>((point) => point.mos_p5, null),
        once: each((point) => point.most_at_once, 0),
        minutes: each((point) => point.talk_seconds / 60, 0),
    };
}
