import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const server = process.env['BAUTA_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
    plugins: [
        svelte({
            compilerOptions: {
                // By what is in it, not by where the file lies: the same bytes on every machine.
                cssHash: ({ hash, css }) => `s${hash(css)}`,
            },
        }),
    ],
    build: {
        outDir: '../dist',
        emptyOutDir: true,
        // light-dark() and container queries.
        target: ['chrome123', 'firefox121', 'safari17.5'],
        // The content security policy allows no data: addresses for scripts and styles.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        license: { fileName: 'licenses.txt' },
        reportCompressedSize: false,
        rolldownOptions: {
            output: {
                // All views are in a file of the same name; what they are built into is named for them.
                chunkFileNames: ({ facadeModuleId }) => {
                    const view = /\/views\/([a-z]+)\/View\.svelte$/.exec(facadeModuleId ?? '');
                    return `assets/${view?.[1] ?? '[name]'}-[hash].js`;
                },
            },
        },
    },
    worker: { format: 'es' },
    server: { proxy: { '/v1': server, '/readyz': server, '/openapi.json': server } },
    test: { include: ['src/**/*.test.ts'] },
});
