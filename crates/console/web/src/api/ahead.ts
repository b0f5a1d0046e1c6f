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

interface Path {
    parameters: { path: { id: string } };
}

export interface Ahead {
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
    '/v1/reveals': {
        post: {
            requestBody: Json<{ kind: RevealKind; id: string }>;
            responses: { 200: Answer<{ numbers: { role: string; number: string }[] }> };
        };
    };
}

export type RevealKind = 'call' | 'record' | 'order' | 'pair' | 'callback' | 'contact';
