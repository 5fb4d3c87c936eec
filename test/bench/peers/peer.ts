import type { CanActivate, Type } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { Credentials } from '../guard/credentials.js';

/** Another way to check a request, as a route of the application that all variants share. */
export interface Peer {
  /** Its route. */
  readonly name: string;
  /** As the table and the chart name it. */
  readonly label: string;
  readonly guard?: Type<CanActivate>;
  /** Of Express, before the route. */
  readonly middleware?: (request: Request, response: Response, next: NextFunction) => unknown;
  /** What its requests carry, if that is none of our tokens. */
  readonly credentials?: Credentials;
}

/** Peers and the way to remove what they hold. */
export interface OpenedPeers {
  readonly peers: readonly Peer[];
  readonly close: () => Promise<void>;
}
