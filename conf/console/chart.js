// Requests a second by decision, stacked, over 15 minutes. The numbers are those
// of the table below it, which says all that the picture says.

import { clock, current, rate, t } from './i18n.js';
import * as rates from './rates.js';
import { html, useEffect, useRef } from './vendor/preact.js';
import uPlot from './vendor/uplot.js';

const LEAST = 2 * 60;               // seconds that are shown
const HEIGHT = 220;

// From the bottom to the top.
export const KINDS = ['allowed', 'limited', 'refused', 'failed'];

export function Chart({ history }) {
    const box = useRef(), plot = useRef();
    const language = current();

    useEffect(() => {
        const dark = matchMedia('(prefers-color-scheme: dark)');
        const draw = () => {
            plot.current?.destroy();
            plot.current = make(box.current, stacked(history));
        };
        const fit = new ResizeObserver(() => plot.current.setSize(size(box.current)));

        draw();
        dark.addEventListener('change', draw);
        fit.observe(box.current);

        return () => {
            fit.disconnect();
            dark.removeEventListener('change', draw);
            plot.current.destroy();
            plot.current = null;
        };
    }, [language]);

    useEffect(() => {
        plot.current.setData(stacked(history));
    });

    return html`<div class="chart" ref=${box} role="img" aria-label=${t('now.chartAlt')}></div>`;
}

const size = (box) => ({ width: box.clientWidth, height: HEIGHT });

// Each line is the sum of its kind and of those below it; the highest is drawn
// first, so that the others lie over it.

function stacked(history) {
    const series = rates.series(history);
    const sums = [];

    KINDS.forEach((kind, i) => {
        sums.push(series[kind].map((n, at) => n + (i ? sums[i - 1][at] : 0)));
    });

    return [series.time, ...sums.reverse()];
}

function make(box, data) {
    const style = getComputedStyle(box);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
        stroke: color('soft'), font: `11px ${style.fontFamily}`,
        grid: { stroke: color('line'), width: 1 }, ticks: { show: false },
    };

    return new uPlot({
        ...size(box),
        legend: { show: false },
        cursor: { show: false },
        scales: {
            x: { range: (u, min, max) => [Math.min(min, max - LEAST), max] },
            y: { range: (u, min, max) => [0, Math.max(max * 1.1, 1)] },
        },
        axes: [
            {
                ...axis, size: 30, space: 60, incrs: [60, 120, 300],
                values: (u, times) => times.map((s) => clock(s * 1000).slice(0, 5)),
            },
            { ...axis, size: 56, values: (u, numbers) => numbers.map(rate) },
        ],
        series: [{}, ...KINDS.toReversed().map((kind) => ({
            stroke: color(kind), fill: color(kind), width: 1, points: { show: false },
        }))],
    }, data, box);
}
