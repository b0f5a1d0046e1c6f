// The messages of a call as a ladder: a column for each party, one for us, an arrow for each message.

import type { components } from '../../api/schema';

type Trace = components['schemas']['Trace'];
export type Traced = components['schemas']['TracedMessage'];

export interface Rung {
    /** Milliseconds since the first message. */
    readonly after: number;
    /** Columns the arrow goes from and to, from 0. */
    readonly from: number;
    readonly to: number;
    /** `INVITE`, `180 Ringing`. */
    readonly label: string;
    readonly response: boolean;
    readonly refusal: boolean;
    readonly message: Traced;
}

export interface Ladder {
    /** Legs in columns; `null` is us. */
    readonly columns: readonly (string | null)[];
    readonly rungs: readonly Rung[];
}

/** Whoever called first, then us, then the rest as they come. */
export function ladder(trace: Trace): Ladder {
    const legs = [...new Set(trace.messages.map(({ leg }) => leg))];
    const first = legs.includes('caller') ? 'caller' : legs[0];
    const columns = first === undefined ? [null] : [first, null, ...legs.filter((leg) => leg !== first)];
    const us = columns.indexOf(null);
    const start = Date.parse(trace.messages[0]?.at ?? '');
    const rungs = trace.messages.map((message) => {
        const them = columns.indexOf(message.leg);
        const [from, to] = message.direction === 'in' ? [them, us] : [us, them];
        const { status } = message;
        return {
            after: Date.parse(message.at) - start,
            from,
            to,
            label: status === null ? message.method : `${status} ${reason(message.text)}`.trim(),
            response: status !== null,
            refusal: status !== null && status >= 400,
            message,
        };
    });
    return { columns, rungs };
}

/** The reason phrase of a response (RFC 3261 §7.2). */
function reason(text: string): string {
    const line = /^[^\r\n]*/.exec(text)?.[0] ?? '';
    return line.split(' ').slice(2).join(' ');
}
