// Parts of the interface that docs/openapi.json does not have yet.

export interface Session {
    name: string;
    role: 'admin' | 'app' | 'operator';
    may_reveal: boolean;
    /** Their own phone. */
    number: string | null;
    expires_at: string;
    csrf: string;
    /** Whether calls come with a link to a card. */
    card: boolean;
}

interface Answer<T> {
    headers: Record<string, unknown>;
    content: { 'application/json': T };
}

interface None {
    headers: Record<string, unknown>;
    content?: never;
}

interface Json<T> {
    content: { 'application/json': T };
}

export interface Ahead {
    '/v1/session': {
        get: { responses: { 200: Answer<Session> } };
        post: {
            requestBody: Json<{ token: string } | { user: string; password: string }>;
            responses: { 201: Answer<Session> };
        };
        delete: { responses: { 204: None } };
    };
    '/v1/reveals': {
        post: {
            requestBody: Json<{ kind: RevealKind; id: string }>;
            responses: { 200: Answer<{ numbers: { role: string; number: string }[] }> };
        };
    };
}

export type RevealKind = 'call' | 'record' | 'order' | 'pair' | 'callback' | 'contact';
