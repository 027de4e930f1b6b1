// Sends events of usage with the SDK of CloudEvents for Go, with its defaults, in each mode. Reads {"address", "token",
// "event"} from stdin, and writes the statuses by mode to stdout as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

type order struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	Event   struct {
		Source  string         `json:"source"`
		Type    string         `json:"type"`
		Subject string         `json:"subject"`
		Time    time.Time      `json:"time"`
		Data    map[string]any `json:"data"`
	} `json:"event"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func (o order) event(id string) cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID(id)
	event.SetSource(o.Event.Source)
	event.SetType(o.Event.Type)
	event.SetSubject(o.Event.Subject)
	event.SetTime(o.Event.Time)
	event.SetExtension("sampledrate", 1)
	check(event.SetData(cloudevents.ApplicationJSON, o.Event.Data))
	return event
}

func main() {
	var o order
	check(json.NewDecoder(os.Stdin).Decode(&o))
	client, err := cloudevents.NewClientHTTP(
		cloudevents.WithTarget(o.Address), cloudevents.WithHeader("Authorization", "Bearer "+o.Token))
	check(err)
	statuses := map[string]int{}
	send := func(mode string, ctx context.Context) {
		var result *cehttp.Result
		answer := client.Send(ctx, o.event("go-"+mode))
		if !cloudevents.ResultAs(answer, &result) {
			panic(fmt.Sprintf("%s: %v", mode, answer))
		}
		statuses[mode] = result.StatusCode
	}
	send("default", context.Background())
	send("binary", binding.WithForceBinary(context.Background()))
	send("structured", binding.WithForceStructured(context.Background()))
	batch, err := cehttp.NewHTTPRequestFromEvents(
		context.Background(), o.Address, []cloudevents.Event{o.event("go-batch-1"), o.event("go-batch-2")})
	check(err)
	batch.Header.Set("Authorization", "Bearer "+o.Token)
	response, err := http.DefaultClient.Do(batch)
	check(err)
	statuses["batch"] = response.StatusCode
	check(json.NewEncoder(os.Stdout).Encode(statuses))
}
