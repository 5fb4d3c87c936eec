import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type AuthEvent, AuthEvents } from 'nestjs-logout';
import { Column, Entity, Index, PrimaryGeneratedColumn, Repository } from 'typeorm';

type Text = string | null | undefined;

@Entity('login_audit')
export class LoginAudit {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Index() @Column() at!: Date;
  @Column() type!: string;
  @Index() @Column({ type: String, nullable: true }) subject?: Text; // hashed
  @Column({ type: String, nullable: true }) session?: Text; // hashed
  @Column({ type: String, nullable: true }) scope?: Text;
  @Column({ type: String, nullable: true }) reason?: Text;
  @Column({ type: String, nullable: true }) actor?: Text;
  @Column({ type: String, nullable: true }) requestId?: Text;
}

@Injectable()
export class LoginAuditor implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger('LoginAuditor');
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly events: AuthEvents,
    @InjectRepository(LoginAudit) private readonly rows: Repository<LoginAudit>,
  ) {}

  onModuleInit(): void {
    // One after the other, so that the rows are in the order of the events.
    this.events.subscribe((event) => {
      this.writing = this.writing.then(() => this.write(event));
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.writing;
  }

  private async write({ reuse, reason, ...event }: AuthEvent): Promise<void> {
    try {
      await this.rows.insert({
        ...event,
        reason: reuse === undefined ? reason : `${reason}: ${reuse}`,
      });
    } catch (error) {
      // The logout has already happened, so write a log line instead.
      this.logger.error(`An event was not written: ${JSON.stringify(event)}`, error);
    }
  }
}
