// Parts of the interface that docs/openapi.json does not have yet.

interface Answer<T> {
    headers: Record<string, unknown>;
    content: { 'application/json': T };
}

interface Json<T> {
    content: { 'application/json': T };
}

export interface Ahead {
    '/v1/reveals': {
        post: {
            requestBody: Json<{ kind: RevealKind; id: string }>;
            responses: { 200: Answer<{ numbers: { role: string; number: string }[] }> };
        };
    };
}

export type RevealKind = 'call' | 'record' | 'order' | 'pair' | 'callback' | 'contact';
