import { describe, expect, it } from '@jest/globals';
import { judge, type Launch } from '../../bench/gate/judge.js';

const launch = (base: number, head: number, again = base): Launch => ({ base, head, again });

describe('the verdict of npm run bench:gate', () => {
  it('the verdict is "slower" above 5 % if the two copies of the base agree', () => {
    expect(judge([launch(100, 106), launch(100, 106), launch(100, 106)])).toEqual({
      base: 100,
      head: 106,
      ratio: 1.06,
      control: 0,
      spread: 0,
      verdict: 'slower',
    });
    expect(judge([launch(100, 104), launch(100, 105), launch(100, 104)]).verdict).toBe('same');
  });

  it('the verdict is "same" while the two copies of the base differ by more than head and base', () => {
    const launches = [launch(100, 115, 100), launch(100, 118, 130), launch(100, 112, 101)];
    const { control, verdict } = judge(launches);
    expect(control).toBeCloseTo(0.3);
    expect(verdict).toBe('same');
  });

  it('the verdict sees the noise whichever copy of the base was slower', () => {
    const slowFirst = judge([launch(130, 130, 100)]);
    const slowSecond = judge([launch(100, 130, 130)]);
    expect(slowFirst.control).toBeCloseTo(slowSecond.control);
    expect([slowFirst.verdict, slowSecond.verdict]).toEqual(['same', 'same']);
  });

  it('the verdict is "slower" beyond the noise of the base', () => {
    expect(judge([launch(100, 150, 110), launch(100, 150, 95)]).verdict).toBe('slower');
  });

  it('the verdict is "same" while the launches differ by more than head and base', () => {
    const { spread, verdict } = judge([launch(100, 95), launch(100, 120), launch(100, 130)]);
    expect(spread).toBeCloseTo(0.26, 1);
    expect(verdict).toBe('same');
  });

  it('the verdict is not decided by one launch in which the head was disturbed', () => {
    expect(judge([launch(100, 101), launch(100, 300), launch(100, 99)]).verdict).toBe('same');
  });

  it('the verdict is "faster" if the head takes less by more than the noise', () => {
    expect(judge([launch(100, 80), launch(100, 82)]).verdict).toBe('faster');
  });
});
