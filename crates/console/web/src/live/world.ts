// The feed's world in a browser: fetch, EventSource, timers.

import { kinds } from './events';
import type { SnapshotPage, World } from './feed';

/** What a page of calls holds at most. */
const LIMIT = 500;

export const world: World = {
    async page(cursor) {
        const query = new URLSearchParams({ limit: String(LIMIT), ...(cursor !== null && { cursor }) });
        const response = await fetch(`/v1/calls?${query}`);
        if (response.status === 401) return 'out';
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        return (await response.json()) as SnapshotPage;
    },

    listen(last, ears) {
        const query = last === null ? '' : `?${new URLSearchParams({ last_event_id: last })}`;
        const source = new EventSource(`/v1/events${query}`);
        const hear = ({ data }: MessageEvent<string>) => ears.event(data);
        for (const kind of kinds) source.addEventListener(kind, hear);
        source.addEventListener('gap', () => ears.gap());
        source.onopen = () => ears.open();
        source.onerror = () => ears.lost(source.readyState === EventSource.CLOSED);
        return () => source.close();
    },

    later(milliseconds, what) {
        const timer = setTimeout(what, milliseconds);
        return () => clearTimeout(timer);
    },

    now: () => Date.now(),
};
