// Events by what they are about.

export const groups = ['call', 'callback', 'record', 'order', 'pair', 'trunk', 'other'] as const;

export type Group = (typeof groups)[number];

const byPrefix: Readonly<Record<string, Group>> = {
    call: 'call',
    callback: 'callback',
    record: 'record',
    recording: 'record',
    order: 'order',
    notice: 'order',
    pair: 'pair',
    trunk: 'trunk',
};

export function groupOf(type: string): Group {
    return byPrefix[type.split('.')[0] ?? ''] ?? 'other';
}
