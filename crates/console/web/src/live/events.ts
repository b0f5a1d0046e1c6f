// Events as the server tells them, and which there are. A browser hears server-sent events by their names, so all are listed.

import type { components } from '../api/schema';

type Told = components['schemas']['Event'];

export interface LiveEvent extends Omit<Told, 'data'> {
    readonly data: Readonly<Record<string, unknown>>;
}

export const kinds = [
    'call.arrived',
    'call.originated',
    'call.known',
    'call.asked',
    'call.code',
    'call.matched',
    'call.dialling',
    'call.ringing',
    'call.bridged',
    'call.operator',
    'call.restored',
    'call.ended',
    'record.written',
    'recording.paused',
    'recording.resumed',
    'recording.ready',
    'hook.failed',
    'hook.recovered',
    'callback.created',
    'callback.first-answered',
    'callback.second-answered',
    'callback.ended',
    'order.put',
    'order.expired',
    'pair.created',
    'pair.changed',
    'pair.closed',
    'pair.expired',
    'notice.sent',
    'notice.failed',
    'trunk.registered',
    'trunk.unregistered',
    'trunk.up',
    'trunk.down',
] as const;

export type Kind = (typeof kinds)[number];

/** Reads one event; nothing if it is none. */
export function readEvent(text: string): LiveEvent | null {
    let read: unknown;
    try {
        read = JSON.parse(text);
    } catch {
        return null;
    }
    if (typeof read !== 'object' || read === null) return null;
    const event = read as Partial<Told>;
    if (typeof event.id !== 'string' || typeof event.type !== 'string' || typeof event.at !== 'string') return null;
    const data = typeof event.data === 'object' && event.data !== null ? (event.data as Record<string, unknown>) : {};
    return { id: event.id, type: event.type, at: event.at, node: String(event.node ?? ''), call: event.call ?? null, data };
}
