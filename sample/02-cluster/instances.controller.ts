import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  HttpCode,
  Param,
  Post,
} from '@nestjs/common';
import { HIGHEST_RATE } from './cluster-settings.js';
import { Cluster } from './cluster.js';
import type { Instance } from './instance.js';
import { Load } from './load.service.js';
import { Observations } from './observations.js';
import { Watch } from './watch.service.js';

/** The buttons of the page. */
@Controller()
export class InstancesController {
  constructor(
    private readonly cluster: Cluster,
    private readonly watch: Watch,
    private readonly load: Load,
    private readonly observations: Observations,
  ) {}

  @Post('instances/:name/pause')
  @HttpCode(204)
  pause(@Param('name') name: string): void {
    this.running(name).pause();
    this.observations.note(`${name} is paused (SIGSTOP): its clocks go on without it.`);
  }

  @Post('instances/:name/resume')
  @HttpCode(204)
  resume(@Param('name') name: string): void {
    this.cluster.find(name).resume();
    this.observations.note(`${name} goes on as if no time had passed (SIGCONT).`);
  }

  @Post('instances/:name/kill')
  @HttpCode(204)
  async kill(@Param('name') name: string): Promise<void> {
    await this.cluster.find(name).kill();
    this.observations.note(`${name} was killed (SIGKILL): what it held in memory is gone.`);
  }

  /** Answers at once: starting takes a moment, and without a database some ten seconds. */
  @Post('instances/:name/start')
  @HttpCode(204)
  start(@Param('name') name: string): void {
    void this.cluster.find(name).start();
    this.observations.note(`${name} starts again, knowing nothing.`);
  }

  @Post('instances/:name/cut')
  @HttpCode(204)
  cut(@Param('name') name: string): void {
    this.cluster.find(name).line.cut();
    this.observations.note(`${name} is cut off from the database.`);
  }

  @Post('instances/:name/mend')
  @HttpCode(204)
  mend(@Param('name') name: string): void {
    this.cluster.find(name).line.mend();
    this.observations.note(`${name} can reach the database again.`);
  }

  @Post('instances/:name/login')
  @HttpCode(204)
  login(@Param('name') name: string): Promise<void> {
    return this.watch.login(this.running(name));
  }

  @Post('instances/:name/logout')
  @HttpCode(204)
  logout(@Param('name') name: string): Promise<void> {
    return this.watch.logout(this.running(name));
  }

  @Post('load')
  @HttpCode(204)
  setRate(@Body() body: unknown): void {
    const { rate } = (body ?? {}) as { rate?: unknown };
    if (!Number.isInteger(rate) || (rate as number) < 0 || (rate as number) > HIGHEST_RATE) {
      throw new BadRequestException(`rate must be a whole number from 0 to ${HIGHEST_RATE}.`);
    }
    this.load.rate = rate as number;
  }

  private running(name: string): Instance {
    const instance = this.cluster.find(name);
    if (instance.state === 'running') return instance;
    throw new ConflictException(`${name} is ${instance.state}; it must be running for that.`);
  }
}
