// How a call went: what its record says, in the order it happened.

import type { components } from '../../api/schema';

type CallRecord = components['schemas']['Record'];
type Tried = components['schemas']['Tried'];

export type StepKind =
    | 'began'
    | 'originated'
    | 'answered'
    | 'firstAnswered'
    | 'dialled'
    | 'rang'
    | 'calleeAnswered'
    | 'given'
    | 'bridged'
    | 'ended';

export interface Step {
    readonly kind: StepKind;
    /** Seconds since the call began. */
    readonly after: number;
    /** Whom it is about. */
    readonly tried: Tried | null;
}

export function timeline(record: CallRecord): Step[] {
    const began = Date.parse(record.started_at);
    const after = (at: string): number => (Date.parse(at) - began) / 1000;
    const steps: Step[] = [{ kind: record.callback ? 'originated' : 'began', after: 0, tried: null }];
    const add = (kind: StepKind, at: string | null, tried: Tried | null = null): void => {
        if (at !== null) steps.push({ kind, after: after(at), tried });
    };
    add(record.callback ? 'firstAnswered' : 'answered', record.answered_at);
    for (const tried of record.tried) {
        const dialled = after(tried.dialled_at);
        const later = (kind: StepKind, seconds: number): void => void steps.push({ kind, after: dialled + seconds, tried });
        later('dialled', 0);
        if (tried.rang_seconds !== undefined) later('rang', tried.rang_seconds);
        if (tried.answered_seconds !== undefined) later('calleeAnswered', tried.waiting_seconds);
        else later('given', tried.waiting_seconds);
    }
    add('bridged', record.bridged_at);
    add('ended', record.ended_at);
    // What happened at once stays in the order it was written down.
    return steps.map((step, at) => ({ step, at })).sort((a, b) => a.step.after - b.step.after || a.at - b.at).map(({ step }) => step);
}
