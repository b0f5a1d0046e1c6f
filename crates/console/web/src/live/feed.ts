// What keeps the calls of one browser true: a snapshot, then every event after it once, however often the connection is lost. One of it
// is at work for all tabs. It has no socket and no clock of its own, so that tests are the world.

import { Board, type BoardCall, type Call } from './board';
import { readEvent, type LiveEvent } from './events';
import { Journal } from './journal';

/** `out`: nobody is logged in. */
export type Status = 'connecting' | 'live' | 'lost' | 'out';

/** What a tab is told. */
export type Told =
    | { kind: 'all'; status: Status; calls: readonly BoardCall[]; journal: readonly LiveEvent[] }
    | { kind: 'events'; events: readonly LiveEvent[] }
    | { kind: 'status'; status: Status };

/** What a tab says: somebody is logged in here (`who` tells one from another); it goes away. */
export type Said = { kind: 'begin'; who: string } | { kind: 'leave' };

export interface SnapshotPage {
    readonly items: readonly Call[];
    readonly next_cursor: string | null;
    readonly last_event: string | null;
}

export interface StreamEars {
    open(): void;
    /** An event, as text. */
    event(text: string): void;
    /** Some of what happened is no longer kept. */
    gap(): void;
    /** The connection is lost; `final` if it does not come back by itself. */
    lost(final: boolean): void;
}

export interface World {
    /** A page of the calls that are going on; `out` where nobody is logged in. Throws if the server is not there. */
    page(cursor: string | null): Promise<SnapshotPage | 'out'>;
    /** Listens to events after this one; returns what ends it. */
    listen(last: string | null, ears: StreamEars): () => void;
    /** Does it after so many milliseconds; returns what calls it off. */
    later(milliseconds: number, what: () => void): () => void;
    /** Milliseconds since 1970. */
    now(): number;
}

/** How long after a failure it is tried again. */
const PAUSE = 2000;
/** Events are told to tabs at most so often: once in a frame. */
const FRAME = 16;
/** How often it is seen whether this machine slept, and how late that is when it did: then the connection is dead, and may not know. */
const LOOK = 10_000;
const SLEPT = 30_000;

export class Feed {
    readonly #world: World;
    readonly #tabs = new Set<(told: Told) => void>();
    readonly #board = new Board();
    readonly #journal = new Journal();
    #status: Status = 'out';
    #who: string | null = null;
    #last: string | null = null;
    #waiting: LiveEvent[] = [];
    #flushing = false;
    /** Ends what is under way: a stream, or the wait for the next attempt. */
    #end: () => void = () => undefined;
    /** Counts beginnings: what comes late of an earlier one is dropped. */
    #turn = 0;

    constructor(world: World) {
        this.#world = world;
        this.#watchSleep(world.now());
    }

    /** A tab came. It hears all there is once somebody is logged in there. */
    join(tab: (told: Told) => void): void {
        this.#tabs.add(tab);
    }

    leave(tab: (told: Told) => void): void {
        this.#tabs.delete(tab);
        if (this.#tabs.size > 0) return;
        this.#stop('out');
        this.#who = null;
    }

    /** Somebody is logged in, in this tab. */
    begin(tab: (told: Told) => void, who: string): void {
        this.#tabs.add(tab);
        if (this.#who === who && this.#status !== 'out') {
            this.#flush();
            tab(this.#all());
            return;
        }
        // Somebody else may see other numbers.
        if (this.#who !== who) this.#journal.copy([]);
        this.#who = who;
        void this.#snapshot();
    }

    #all(): Told {
        return { kind: 'all', status: this.#status, calls: this.#board.calls, journal: this.#journal.events };
    }

    #tell(told: Told): void {
        for (const tab of this.#tabs) tab(told);
    }

    #become(status: Status): void {
        if (this.#status === status) return;
        this.#status = status;
        this.#tell({ kind: 'status', status });
    }

    #stop(status: Status): void {
        this.#turn += 1;
        this.#end();
        this.#end = () => undefined;
        this.#become(status);
    }

    /** Reads all calls anew, then listens. */
    async #snapshot(): Promise<void> {
        this.#stop('connecting');
        const turn = this.#turn;
        const pages: { items: readonly Call[]; last: string }[] = [];
        let cursor: string | null = null;
        do {
            let page: SnapshotPage | 'out';
            try {
                page = await this.#world.page(cursor);
            } catch {
                if (turn === this.#turn) this.#retry(() => void this.#snapshot());
                return;
            }
            if (turn !== this.#turn) return;
            if (page === 'out') {
                this.#stop('out');
                return;
            }
            pages.push({ items: page.items, last: page.last_event ?? '' });
            cursor = page.next_cursor;
        } while (cursor !== null);
        this.#flush();
        this.#board.clear();
        for (const { items, last } of pages) this.#board.take(items, last);
        // Later pages know more than the first; what they know already changes nothing in their calls.
        this.#last = pages[0]?.last || null;
        this.#tell(this.#all());
        this.#listen();
    }

    #listen(): void {
        this.#end();
        const turn = this.#turn;
        const current = (what: () => void) => turn === this.#turn && what();
        this.#end = this.#world.listen(this.#last, {
            open: () => current(() => this.#become('live')),
            event: (text) => current(() => this.#hear(text)),
            gap: () => current(() => void this.#snapshot()),
            lost: (final) => current(() => this.#lose(final)),
        });
    }

    #lose(final: boolean): void {
        this.#become('lost');
        if (!final) return;
        this.#stop('lost');
        this.#retry(() => void this.#resume());
    }

    /** Goes on after the last event, if somebody is still logged in. */
    async #resume(): Promise<void> {
        const turn = this.#turn;
        try {
            const page = await this.#world.page(null);
            if (turn !== this.#turn) return;
            if (page === 'out') this.#stop('out');
            else this.#listen();
        } catch {
            if (turn === this.#turn) this.#retry(() => void this.#resume());
        }
    }

    #retry(what: () => void): void {
        this.#become('lost');
        this.#end = this.#world.later(PAUSE, what);
    }

    #hear(text: string): void {
        const event = readEvent(text);
        // What was heard before comes again after a reconnect; ids rise.
        if (!event || (this.#last !== null && event.id <= this.#last)) return;
        this.#last = event.id;
        this.#board.apply(event);
        this.#board.prune(this.#world.now());
        this.#waiting.push(event);
        if (this.#flushing) return;
        this.#flushing = true;
        this.#world.later(FRAME, () => this.#flush());
    }

    #flush(): void {
        this.#flushing = false;
        if (this.#waiting.length === 0) return;
        const events = this.#waiting;
        this.#waiting = [];
        this.#journal.add(events);
        this.#tell({ kind: 'events', events });
    }

    #watchSleep(before: number): void {
        this.#world.later(LOOK, () => {
            const now = this.#world.now();
            if (now - before > SLEPT && (this.#status === 'live' || this.#status === 'lost')) {
                this.#stop('lost');
                void this.#resume();
            }
            this.#watchSleep(now);
        });
    }
}
