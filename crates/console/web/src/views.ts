// All views, in the order of the navigation. One that is not built yet, or not for this role, is simply not there.

import type { Component } from 'svelte';

import type { Icon } from './parts/icons';
import type { Session } from './session.svelte';
import type { shell } from './words/shell';

export type ViewName = keyof typeof shell.views;
export type Group = 'groupNow' | 'groupWork' | 'groupSystem';

export interface View {
    readonly name: ViewName;
    readonly group: Group;
    readonly icon: Icon;
    readonly roles: readonly Session['role'][];
    readonly load: () => Promise<{ default: Component }>;
}

const everybody = ['admin', 'operator'] as const;
const admins = ['admin'] as const;

const listed: readonly Omit<View, 'load'>[] = [
    { name: 'live', group: 'groupNow', icon: 'live', roles: everybody },
    { name: 'journal', group: 'groupNow', icon: 'journal', roles: everybody },
    { name: 'orders', group: 'groupWork', icon: 'order', roles: everybody },
    { name: 'callbacks', group: 'groupWork', icon: 'callback', roles: everybody },
    { name: 'pairs', group: 'groupWork', icon: 'pair', roles: everybody },
    { name: 'numbers', group: 'groupWork', icon: 'number', roles: everybody },
    { name: 'records', group: 'groupWork', icon: 'record', roles: everybody },
    { name: 'trunks', group: 'groupSystem', icon: 'trunk', roles: everybody },
    { name: 'simulate', group: 'groupSystem', icon: 'simulate', roles: everybody },
    { name: 'prompts', group: 'groupSystem', icon: 'prompt', roles: everybody },
    { name: 'webhooks', group: 'groupSystem', icon: 'webhook', roles: admins },
    { name: 'blocks', group: 'groupSystem', icon: 'block', roles: everybody },
    { name: 'people', group: 'groupSystem', icon: 'person', roles: admins },
    { name: 'audit', group: 'groupSystem', icon: 'audit', roles: admins },
    { name: 'settings', group: 'groupSystem', icon: 'settings', roles: admins },
];

const built = import.meta.glob<{ default: Component }>('./views/*/View.svelte');

const views: readonly View[] = listed.flatMap((view) => {
    const load = built[`./views/${view.name}/View.svelte`];
    return load ? [{ ...view, load }] : [];
});

/** The views somebody of this role has. */
export function viewsFor(role: Session['role']): readonly View[] {
    return views.filter((view) => view.roles.includes(role));
}
