// What the server says when it does not do what it was asked (RFC 9457).

import type { components } from './schema';

/** Codes of the server, and what the console itself adds: nobody answered; an answer that is none. */
export type Code = components['schemas']['ProblemCode'] | 'unreachable' | 'unreadable';

export class Problem extends Error {
    readonly code: Code;
    readonly status: number;
    /** What is wrong here, in the server's words (English). */
    readonly detail: string;
    /** The field at fault, dotted: `courier.number`. */
    readonly field: string | null;
    /** After how many seconds it may be tried again. */
    readonly retryAfter: number | null;

    constructor(code: Code, status: number, detail: string, field: string | null = null, retryAfter: number | null = null) {
        super(`${code}: ${detail}`);
        this.name = 'Problem';
        this.code = code;
        this.status = status;
        this.detail = detail;
        this.field = field;
        this.retryAfter = retryAfter;
    }
}

/** Reads a problem document; anything else is a problem of its own. */
export function readProblem(body: unknown, response: Response): Problem {
    const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
    const retryAfter = Number.isNaN(wait) ? null : wait;
    if (typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string') {
        const { code, detail, field } = body as { code: Code; detail?: string; field?: string };
        return new Problem(code, response.status, detail ?? code, field ?? null, retryAfter);
    }
    return new Problem('unreadable', response.status, `HTTP ${response.status}`, null, retryAfter);
}

/** Whatever was thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown;
    return new Problem('unreachable', 0, thrown instanceof Error ? thrown.message : String(thrown));
}
