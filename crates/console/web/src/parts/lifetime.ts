// How long something lives, as forms let one choose it.

export interface Lifetime {
    ttl_seconds?: number;
    expires_at?: string;
}

/** What can be chosen: seconds, a moment, to leave it as it is, or for good. */
export type Choice = `${number}` | 'moment' | 'keep' | 'never';

export const HOUR = 3600;
export const DAY = 86_400;
export const lengths = [HOUR, 4 * HOUR, DAY, 3 * DAY, 10 * DAY, 30 * DAY, 90 * DAY] as const;

/** The part of a request that says it. A moment is in the time zone of whoever chose it, as `datetime-local` has it. */
export function lifetime(choice: Choice, moment: string): Lifetime {
    if (choice === 'keep' || choice === 'never') return {};
    if (choice !== 'moment') return { ttl_seconds: Number(choice) };
    const at = new Date(moment);
    // Nothing chosen is said as it is, so that the server tells the field at fault.
    return { expires_at: Number.isNaN(at.getTime()) ? moment : at.toISOString() };
}
