// Which calls somebody is told of beyond the page: one whose caller is known, and one who is not and asks for an operator. Each once.

import type { LiveEvent } from './events';

export interface Announcement {
    readonly call: string;
    /** Who it is; nobody knows where there is nothing. */
    readonly name: string | null;
    readonly line: string | null;
    readonly card: string | null;
}

/** Only links that lead to a page: never `javascript:` or the like. */
export function pageLink(url: string | null): string | null {
    if (url === null) return null;
    try {
        return ['http:', 'https:'].includes(new URL(url).protocol) ? url : null;
    } catch {
        return null;
    }
}

function text(value: unknown): string | null {
    return typeof value === 'string' && value !== '' ? value : null;
}

export class Announcer {
    /** Calls that are going on: the line, and whether they were announced. */
    readonly #calls = new Map<string, { line: string | null; told: boolean }>();

    /** What is to be announced because of this event. */
    hear(event: LiveEvent): Announcement | null {
        const { call, data } = event;
        if (!call) return null;
        const known = this.#calls.get(call) ?? { line: null, told: false };
        switch (event.type) {
            case 'call.arrived':
                this.#calls.set(call, { line: text(data['line']), told: false });
                return null;
            case 'call.ended':
                this.#calls.delete(call);
                return null;
            case 'call.known':
                if (data['party'] !== 'caller') return null;
                break;
            case 'call.operator':
                break;
            default:
                return null;
        }
        if (known.told) return null;
        this.#calls.set(call, { ...known, told: true });
        return { call, name: text(data['name']), line: known.line, card: pageLink(text(data['card_url'])) };
    }
}
