// A list of the server, read page by page by its cursor.

import { untrack } from 'svelte';

import { asProblem, type Problem } from '../api/problem';

export interface Page<Row> {
    readonly items: readonly Row[];
    readonly next_cursor: string | null;
}

export class Pages<Row> {
    items = $state.raw<readonly Row[]>([]);
    problem = $state.raw<Problem | null>(null);
    loading = $state(true);
    /** Whether there is nothing after `items`. */
    whole = $state(false);

    #read: (cursor: string | undefined) => Promise<Page<Row>>;
    #cursor: string | undefined;
    /** Counts reloads: what comes late for an earlier one is dropped. */
    #turn = 0;

    /**
     * `read` asks for a page. Made while a component is, the list begins anew whenever something changes that `read` looks at before it
     * waits: its filters.
     */
    constructor(read: (cursor: string | undefined) => Promise<Page<Row>>) {
        this.#read = read;
        $effect(() => {
            const first = read(undefined);
            untrack(() => this.#begin(first));
        });
    }

    /** Reads the list again from its beginning. What is shown stays until the answer is there. */
    reload(): Promise<void> {
        return this.#begin(this.#read(undefined));
    }

    /** Reads the next page, if there is one and it is not under way. */
    async more(): Promise<void> {
        if (this.loading || this.whole || this.problem) return;
        this.loading = true;
        await this.#take(this.#read(this.#cursor), false);
    }

    /** Puts a changed row in the place of the one it was. */
    replace(is: (row: Row) => boolean, row: Row): void {
        this.items = this.items.map((other) => (is(other) ? row : other));
    }

    /** Leaves out what is gone. */
    remove(is: (row: Row) => boolean): void {
        this.items = this.items.filter((row) => !is(row));
    }

    #begin(first: Promise<Page<Row>>): Promise<void> {
        this.#turn += 1;
        this.loading = true;
        return this.#take(first, true);
    }

    async #take(page: Promise<Page<Row>>, first: boolean): Promise<void> {
        const turn = this.#turn;
        try {
            const { items, next_cursor } = await page;
            if (turn !== this.#turn) return;
            this.items = first ? items : [...this.items, ...items];
            this.#cursor = next_cursor ?? undefined;
            this.whole = next_cursor === null;
            this.problem = null;
        } catch (thrown) {
            if (turn !== this.#turn) return;
            this.problem = asProblem(thrown);
        }
        this.loading = false;
    }
}
