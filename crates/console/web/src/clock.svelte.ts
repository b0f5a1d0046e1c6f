// The server's time, and a tick a second for whatever shows how long something lasts.

/** A clock that is off by less than this is taken to be right: `Date` has whole seconds and comes with a delay. */
const TOLERANCE = 3000;

let offset = 0;
let tick = $state(Date.now());

setInterval(() => (tick = Date.now() + offset), 1000);

export const clock = {
    /** Milliseconds since 1970 by the server's clock; in markup it changes once a second. */
    get now(): number {
        return tick;
    },
    /** The same, exactly now and without a tick. */
    exact(): number {
        return Date.now() + offset;
    },
    /** Hears what time the server says it is. */
    hear(date: string | null): void {
        const said = Date.parse(date ?? '');
        if (Number.isNaN(said)) return;
        const apart = said - Date.now();
        offset = Math.abs(apart) > TOLERANCE ? apart : 0;
    },
};
