/** The values of one scrape, in the text format of Prometheus. */
export class Scrape {
  private readonly samples = new Map<string, number>();
  /** The type of each metric by its name. */
  readonly types = new Map<string, string>();

  constructor(readonly text: string) {
    for (const line of text.split('\n')) {
      const [, metric, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (metric !== undefined && type !== undefined) this.types.set(metric, type);
      const [, series, value] = /^([^#\s]\S*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series !== undefined) this.samples.set(series, numberOf(value ?? ''));
    }
  }

  /** The value of one series, as `name{label="value"}` without the common prefix. */
  value(series: string): number | undefined {
    return this.samples.get(`nestjs_logout_${series}`);
  }

  /** All series by their full names. */
  get series(): readonly string[] {
    return [...this.samples.keys()];
  }
}

function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}
