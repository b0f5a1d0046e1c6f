// Files for whoever looks at the page.

/** Hands a file to the browser, which saves it where downloads go. */
export function save(data: Blob, name: string): void {
    const address = URL.createObjectURL(data);
    const link = document.createElement('a');
    link.href = address;
    link.download = name;
    link.click();
    // The download has begun by the next turn; what is kept longer keeps its memory.
    setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export function saveText(text: string, name: string, type: string): void {
    save(new Blob([text], { type }), name);
}
