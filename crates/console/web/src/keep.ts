// What a browser keeps for one person: small choices, never anything of a call. A browser may refuse to keep anything.

export function kept(key: string): string | null {
    try {
        return localStorage.getItem(`bauta.${key}`);
    } catch {
        return null;
    }
}

export function keep(key: string, value: string | null): void {
    try {
        if (value === null) localStorage.removeItem(`bauta.${key}`);
        else localStorage.setItem(`bauta.${key}`, value);
    } catch {
        // Then it is asked for again.
    }
}
