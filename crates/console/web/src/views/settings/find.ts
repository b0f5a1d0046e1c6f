// Which keys of the configuration are shown.

import type { components } from '../../api/schema';

export type Section = components['schemas']['SettingsSection'];

/** A value as it is read: texts as they are, lists and tables as JSON, nothing as nothing. */
export function shown(value: unknown): string {
    if (value === null || value === undefined) return '';
    if (Array.isArray(value)) return value.map(shown).join(', ');
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Sections with those keys that somebody looks for; empty ones are left out. */
export function found(sections: readonly Section[], typed: string, written: boolean): Section[] {
    const wanted = typed.trim().toLocaleLowerCase();
    return sections
        .map(({ section, keys }) => ({
            section,
            keys: keys.filter(
                ({ key, value, default: unwritten }) =>
                    !(written && unwritten) && `${section}.${key} ${shown(value)}`.toLocaleLowerCase().includes(wanted),
            ),
        }))
        .filter(({ keys }) => keys.length > 0);
}
