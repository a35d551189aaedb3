using InterGuest.Protos.V1;
using InterGuest.Switch.Control;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.Control;

public class EventHubTests
{
    private readonly EventHub _hub = new();

    [Fact]
    public void EachWhoWatchesGetsAllInOrder()
    {
        var first = _hub.Subscribe();
        Publish("1");
        var second = _hub.Subscribe();
        Publish("2");
        Assert.Equal(["1 0", "2 0"], Read(first));
        Assert.Equal(["2 0"], Read(second));
    }

    [Fact]
    public void WhoDoesNotWatchAnyMoreGetsNothing()
    {
        Assert.False(_hub.IsWatched);
        var one = _hub.Subscribe();
        Assert.True(_hub.IsWatched);
        _hub.Unsubscribe(one);
        Assert.False(_hub.IsWatched);
        Publish("1");
        Assert.Empty(Read(one));
    }

    [Fact]
    public void ASlowOneMissesSomeAndIsToldHowMany()
    {
        var slow = _hub.Subscribe();
        var quick = _hub.Subscribe();
        List<string> got = [];
        for (int i = 0; i < 300; i++)
        {
            Publish($"{i}");
            got.AddRange(Read(quick));
        }
        Assert.Equal(Enumerable.Range(0, 300).Select(i => $"{i} 0"), got);
        var early = Read(slow);
        Assert.InRange(early.Count, 1, 299);
        Assert.Equal(Enumerable.Range(0, early.Count).Select(i => $"{i} 0"), early);
        Publish("next");
        Publish("last");
        Assert.Equal([$"next {300 - early.Count}", "last 0"], Read(slow));
        Assert.Equal(["next 0", "last 0"], Read(quick));
    }

    [Fact]
    public void ReasonsAreWrittenWithUnderscores()
    {
        Assert.Equal("no_buffers", SnakeCase.Of(DropReason.NoBuffers));
        Assert.Equal("too_long_for_receiver", SnakeCase.Of(DropReason.TooLongForReceiver));
        Assert.Equal("none", SnakeCase.Of(QueueFault.None));
    }

    [Fact]
    public void ReasonsAreAnInterfaceAndDoNotChange() => Assert.Equal(
        "no_link link_down peer_not_running negotiating queue_disabled no_buffers too_long_for_receiver too_short too_long bad_header bad_chain bad_offload above_mtu",
        string.Join(' ', Enum.GetValues<DropReason>().Select(SnakeCase.Of)));

    private static List<string> Read(EventHub.Subscription subscription)
    {
        var all = new List<string>();
        while (subscription.Events.TryRead(out var happened))
            all.Add($"{happened.Text} {happened.Missed}");
        return all;
    }

    private void Publish(string text) => _hub.Publish(new Event { Text = text });
}
