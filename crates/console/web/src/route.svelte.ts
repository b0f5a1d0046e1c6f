// Where one is: `#/records/01KB…?cause=busy` is the view `records`, its part `01KB…`, its query `cause=busy`. All that a view shows stands
// in it, so that going back, a reload and a new login lead to the same.

export interface Route {
    readonly view: string;
    readonly parts: readonly string[];
    readonly query: URLSearchParams;
}

function decoded(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

/** Reads what follows `#` in an address. */
export function readRoute(hash: string): Route {
    const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
    const [view = '', ...parts] = path.split('/').filter((part) => part !== '');
    return { view: decoded(view), parts: parts.map(decoded), query: new URLSearchParams(query) };
}

export type Query = Record<string, string | null | undefined>;

/** The address of a place: for `href`. Nothing and empty texts are left out of the query. */
export function link(path: readonly string[], query: Query = {}): string {
    const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
    const asked = new URLSearchParams(given).toString();
    return `#/${path.map(encodeURIComponent).join('/')}${asked ? `?${asked}` : ''}`;
}

let now = $state.raw<Route>(readRoute(location.hash));
addEventListener('hashchange', () => (now = readRoute(location.hash)));

export const route = {
    get now(): Route {
        return now;
    },
};

/** Goes there; with `replace` it is no step to go back to. */
export function go(address: string, replace = false): void {
    if (replace) {
        history.replaceState(null, '', address);
        now = readRoute(location.hash);
    } else {
        location.hash = address;
    }
}
