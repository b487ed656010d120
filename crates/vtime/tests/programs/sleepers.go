// Every kind of timed wait of Go, each for an hour; prints what sleepers.c prints.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

var start = time.Now()

var kinds = map[string]func(time.Duration){
	"sleep":   time.Sleep,
	"after":   func(d time.Duration) { <-time.After(d) },
	"ticker":  func(d time.Duration) { t := time.NewTicker(d); <-t.C; t.Stop() },
	"select":  func(d time.Duration) { select { case <-time.After(d): case <-make(chan int): } },
	"context": func(d time.Duration) { c, f := context.WithTimeout(context.Background(), d); defer f(); <-c.Done() },
	"afterfunc": func(d time.Duration) {
		done := make(chan int)
		time.AfterFunc(d, func() { close(done) })
		<-done
	},
	"deadline": func(d time.Duration) { // a wall clock deadline: time.Unix drops the monotonic reading
		c, f := context.WithDeadline(context.Background(), time.Unix(0, time.Now().Add(d).UnixNano()))
		defer f()
		<-c.Done()
	},
	"socket": func(d time.Duration) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			panic(err)
		}
		c.SetReadDeadline(time.Now().Add(d))
		if _, err := c.Read(make([]byte, 1)); !os.IsTimeout(err) {
			panic(err)
		}
	},
}

func all(d time.Duration, done func(string, time.Duration)) {
	var group sync.WaitGroup
	for name, wait := range kinds {
		group.Add(1)
		go func() {
			defer group.Done()
			t := time.Now()
			wait(d)
			done(name, time.Since(t))
		}()
	}
	if d > time.Minute {
		fmt.Println("ready", start.UnixNano(), 0)
	}
	group.Wait()
}

func main() {
	all(time.Hour, func(name string, _ time.Duration) { fmt.Println("fired", name) })
	now := time.Now()
	fmt.Println("done", now.UnixNano(), now.Sub(start).Nanoseconds())
	all(200*time.Millisecond, func(name string, d time.Duration) { fmt.Println("after", name, d.Nanoseconds()) })
}
