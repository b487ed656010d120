// Goroutines that read the clock and wait, under jumps; ends like load.c.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	mutex sync.Mutex
	last  = time.Now()
)

func check() time.Time {
	mutex.Lock()
	defer mutex.Unlock()
	now := time.Now()
	if now.Before(last) || now.Round(0).Before(last.Round(0)) {
		fmt.Fprintln(os.Stderr, "time went back from", last, "to", now)
		os.Exit(1)
	}
	last = now
	return now
}

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	var group sync.WaitGroup
	for g := 0; g < 12; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < count; i++ {
				d := time.Duration(i%5) * time.Millisecond
				if i%4 == 3 {
					d = time.Hour
				}
				start := check()
				if g%2 == 0 {
					time.Sleep(d)
				} else {
					<-time.After(d)
				}
				if took := check().Sub(start); took < d {
					fmt.Fprintln(os.Stderr, "a wait of", d, "ended after", took)
					os.Exit(1)
				}
			}
		}()
	}
	fmt.Println("ready")
	group.Wait()
}
