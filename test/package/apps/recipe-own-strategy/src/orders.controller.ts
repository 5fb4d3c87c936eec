import { Controller, Get, Param, UseGuards } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';

@UseGuards(AuthGuard('jwt'))
@Controller('orders')
export class OrdersController {
  @Get()
  list() {
    return [{ id: 1 }];
  }

  @Get(':id')
  one(@Param('id') id: string) {
    return { id: Number(id) };
  }
}
