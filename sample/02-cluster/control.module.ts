import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Cluster } from './cluster.js';
import { InstancesController } from './instances.controller.js';
import { Load } from './load.service.js';
import { Observations } from './observations.js';
import { PageController } from './page.controller.js';
import { SameOriginGuard } from './same-origin.guard.js';
import { Ticks } from './ticks.service.js';
import { Watch } from './watch.service.js';

/** The page beside the three instances; it is no part of them. */
@Module({})
export class ControlModule {
  static of(cluster: Cluster): DynamicModule {
    return {
      module: ControlModule,
      controllers: [PageController, InstancesController],
      providers: [
        { provide: Cluster, useValue: cluster },
        { provide: APP_GUARD, useClass: SameOriginGuard },
        Observations,
        Watch,
        Load,
        Ticks,
      ],
    };
  }
}
