// The last events, newest last.

import type { LiveEvent } from './events';

export const KEPT = 500;

export class Journal {
    #events: LiveEvent[] = [];

    get events(): readonly LiveEvent[] {
        return this.#events;
    }

    add(events: readonly LiveEvent[]): void {
        this.#events = [...this.#events, ...events].slice(-KEPT);
    }

    copy(events: readonly LiveEvent[]): void {
        this.#events = events.slice(-KEPT);
    }
}
