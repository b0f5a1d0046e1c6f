// Parts of the interface that docs/openapi.json does not have yet.

interface Answer<T> {
    headers: Record<string, unknown>;
    content: { 'application/json': T };
}

interface Json<T> {
    content: { 'application/json': T };
}

export interface Contact {
    id: string;
    name: string;
    number: string;
    note: string | null;
    data: unknown;
    created_at: string;
    updated_at: string;
}

/** How a trunk did for a while. */
export interface Point {
    at: string;
    trunk: string;
    calls: number;
    answered: number;
    answer_seizure_ratio: number | null;
    post_dial_delay_p50_ms: number | null;
    post_dial_delay_p95_ms: number | null;
    talk_seconds: number;
    mos: number | null;
    mos_p5: number | null;
    most_at_once: number;
}

export interface Statistics {
    step: 'minute' | 'hour' | 'day';
    points: Point[];
}

interface Path {
    parameters: { path: { id: string } };
}

export interface Ahead {
    '/v1/statistics': {
        get: {
            parameters: { query: { from?: string; to?: string; step?: 'minute' | 'hour' | 'day'; trunk?: string } };
            responses: { 200: Answer<Statistics> };
        };
    };
    '/v1/contacts': {
        get: {
            parameters: { query?: { query?: string; limit?: number; cursor?: string } };
            responses: { 200: Answer<{ items: Contact[]; next_cursor: string | null }> };
        };
        post: {
            requestBody: Json<{ name: string; number: string; note?: string | null; data?: unknown }>;
            responses: { 201: Answer<Contact> };
        };
    };
    '/v1/contacts/{id}': {
        get: Path & { responses: { 200: Answer<Contact> } };
        patch: Path & {
            requestBody: Json<{ name?: string; number?: string; note?: string | null; data?: unknown }>;
            responses: { 200: Answer<Contact> };
        };
        delete: Path & { responses: { 204: { headers: Record<string, unknown>; content?: never } } };
    };
}
