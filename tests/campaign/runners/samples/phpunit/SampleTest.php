<?php
class SampleTest extends PHPUnit\Framework\TestCase {
    public function testFirst(): void { $this->assertTrue(true); }
    public function testSecond(): void {
        touch(getenv('REACHED'));
        sleep(60);
        touch(getenv('FINISHED'));
        $this->assertTrue(true);
    }
}
