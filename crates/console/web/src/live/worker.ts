// The feed of all tabs of a browser, as a SharedWorker.

import { Feed, type Said, type Told } from './feed';
import { world } from './world';

const feed = new Feed(world);

// The types of a page do not know where this runs.
addEventListener('connect', (event) => {
    const port = (event as MessageEvent).ports[0];
    if (!port) return;
    const tab = (told: Told) => port.postMessage(told);
    port.onmessage = ({ data }: MessageEvent<Said>) => {
        if (data.kind === 'begin') feed.begin(tab, data.who);
        else feed.leave(tab);
    };
    feed.join(tab);
});
