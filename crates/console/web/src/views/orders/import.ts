// The import of a CSV file: cut into pieces of whole rows and sent one after the other, so that one sees how far it is, can stop it, and
// can go on after the connection was lost.

import { Problem } from '../../api/problem';
import type { components } from '../../api/schema';

type Summary = components['schemas']['ImportSummary'];
export type RowError = components['schemas']['ImportError'];

export interface Progress {
    /** Share of the file that was taken, 0 to 1. */
    readonly share: number;
    readonly rows: number;
    readonly created: number;
    readonly replaced: number;
    readonly failed: number;
    /** The first of the rows that failed, by their place in the file. */
    readonly errors: readonly RowError[];
}

/** Rows sent at once: enough that a million take no thousand requests, few enough that one is soon done. */
const PIECE = 2000;
/** Errors kept for showing. */
export const SHOWN = 1000;

/** Cuts text into rows. A line end within quotes ends none (RFC 4180 §2.6). */
export class Rows {
    #rest = '';
    #quoted = false;
    #at = 0;

    /** The rows that end in what has come so far, with their line ends. */
    take(text: string): string[] {
        this.#rest += text;
        const rows: string[] = [];
        let start = 0;
        for (; this.#at < this.#rest.length; this.#at += 1) {
            const character = this.#rest[this.#at];
            if (character === '"') this.#quoted = !this.#quoted;
            else if (character === '\n' && !this.#quoted) {
                rows.push(this.#rest.slice(start, this.#at + 1));
                start = this.#at + 1;
            }
        }
        this.#rest = this.#rest.slice(start);
        this.#at -= start;
        return rows;
    }

    /** What is left when the file is over: a row without a line end, or nothing. */
    end(): string[] {
        return this.#rest === '' ? [] : [this.#rest];
    }
}

const lines = (text: string): number => text.split('\n').length - 1;
const blank = (row: string): boolean => /^[\r\n]*$/.test(row);

export class Import {
    #progress: Progress = { share: 0, rows: 0, created: 0, replaced: 0, failed: 0, errors: [] };
    #stopped = false;
    readonly #file: Blob;
    /** Posts a piece, the row of names included; called again with the same `piece` after a problem that is thrown. */
    readonly #post: (body: string, piece: number) => Promise<Summary>;
    readonly #tell: (progress: Progress) => void;
    readonly #again: (problem: Problem) => Promise<boolean>;

    /** `again` is asked after a piece failed as a whole: whether to try it once more. */
    constructor(
        file: Blob,
        post: (body: string, piece: number) => Promise<Summary>,
        tell: (progress: Progress) => void,
        again: (problem: Problem) => Promise<boolean>,
    ) {
        this.#file = file;
        this.#post = post;
        this.#tell = tell;
        this.#again = again;
    }

    /** Ends it after the piece that is under way. */
    stop(): void {
        this.#stopped = true;
    }

    /** Runs to the end of the file; whether all of it was taken. */
    async run(): Promise<boolean> {
        const splitter = new Rows();
        const decoder = new TextDecoder();
        const reader = this.#file.stream().getReader();
        let read = 0;
        let names: string | null = null;
        let waiting: string[] = [];
        let linesBefore = 0;
        let piece = 0;
        const flush = async (): Promise<boolean> => {
            if (waiting.length === 0) return true;
            const body = waiting.join('');
            const rows = waiting.filter((row) => !blank(row)).length;
            waiting = [];
            if (rows > 0 && !(await this.#send(`${names}${body}`, piece, rows, linesBefore, read))) return false;
            piece += 1;
            linesBefore += lines(body);
            return !this.#stopped;
        };
        try {
            for (;;) {
                const { done, value } = await reader.read();
                read += value?.length ?? 0;
                const text = value ? decoder.decode(value, { stream: true }) : decoder.decode();
                const rows = splitter.take(text);
                if (done) rows.push(...splitter.end());
                for (const row of rows) {
                    if (names === null) {
                        if (blank(row)) linesBefore += 1;
                        else names = row.endsWith('\n') ? row : `${row}\n`;
                        continue;
                    }
                    waiting.push(row);
                    if (waiting.length >= PIECE && !(await flush())) return false;
                }
                if (!done) continue;
                // A file of names alone, or of nothing: the server says what is wrong with it, or that there is no row.
                if (piece === 0 && waiting.length === 0) return await this.#send(names ?? '', 0, 0, 0, read);
                return await flush();
            }
        } finally {
            await reader.cancel();
        }
    }

    async #send(body: string, piece: number, rows: number, linesBefore: number, read: number): Promise<boolean> {
        for (;;) {
            try {
                const summary = await this.#post(body, piece);
                const before = this.#progress;
                const errors = summary.errors.map((error) => ({
                    ...error,
                    row: error.row + before.rows,
                    line: error.line + linesBefore,
                }));
                this.#progress = {
                    share: this.#file.size === 0 ? 1 : read / this.#file.size,
                    rows: before.rows + rows,
                    created: before.created + summary.created,
                    replaced: before.replaced + summary.replaced,
                    failed: before.failed + summary.failed,
                    errors: [...before.errors, ...errors].slice(0, SHOWN),
                };
                this.#tell(this.#progress);
                return true;
            } catch (thrown) {
                if (!(thrown instanceof Problem)) throw thrown;
                if (this.#stopped || !(await this.#again(thrown))) return false;
            }
        }
    }
}
