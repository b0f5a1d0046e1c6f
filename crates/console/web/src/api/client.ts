// The one way to the server: typed by docs/openapi.json, with what a session needs added, and with problems thrown.

import createClient from 'openapi-fetch';

import { clock } from '../clock.svelte';
import { session } from '../session.svelte';
import { Problem, asProblem, readProblem } from './problem';
import type { paths } from './schema';

/** A text nobody else has; `crypto.randomUUID` is there only under HTTPS. */
export function freshKey(): string {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (octet) => octet.toString(16).padStart(2, '0')).join('');
}

async function send(request: Request): Promise<Response> {
    const writes = request.method !== 'GET' && request.method !== 'HEAD';
    if (writes && !request.headers.has('Idempotency-Key')) request.headers.set('Idempotency-Key', freshKey());
    const login = new URL(request.url).pathname === '/v1/session';
    for (;;) {
        if (writes && session.now) request.headers.set('Bauta-Csrf', session.now.csrf);
        let response: Response;
        try {
            response = await fetch(request.clone());
        } catch (fault) {
            if (request.signal.aborted) throw fault;
            throw asProblem(fault);
        }
        clock.hear(response.headers.get('date'));
        // The session has ended: whoever it is logs in again, and what they were about goes on.
        if (response.status === 401 && !login) {
            await session.renewed();
            continue;
        }
        return response;
    }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send });

/** The body of an answer; throws the problem if that is what came. */
export async function ask<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
    return (await askWhole(answer)).data;
}

/** The body and the response it came with, for whoever needs a header (`ETag`). */
export async function askWhole<T>(
    answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<{ data: T; response: Response }> {
    let got;
    try {
        got = await answer;
    } catch (fault) {
        throw fault instanceof Problem || (fault instanceof DOMException && fault.name === 'AbortError') ? fault : asProblem(fault);
    }
    if (!got.response.ok) throw readProblem(got.error, got.response);
    return { data: got.data as T, response: got.response };
}

/** The same for what openapi-fetch has no words for: bodies that are files, answers read piece by piece. */
export async function raw(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await send(new Request(new URL(path, location.origin), init));
    if (response.ok) return response;
    const body: unknown = await response.json().catch(() => null);
    throw readProblem(body, response);
}
