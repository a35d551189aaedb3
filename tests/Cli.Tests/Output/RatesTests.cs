using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Tests.Output;

public class RatesTests
{
    [Fact]
    public void AreDifferencesByTheSwitchsOwnClock()
    {
        SwitchStatus before = Sample(uptime: 10, bytes: 1000, frames: 5);
        SwitchStatus after = Sample(uptime: 12, bytes: 3000, frames: 25);
        var rates = new Rates(before, after);
        Assert.Equal(8000, rates.SentBits(after.Ports[0]));
        Assert.Equal(0, rates.ReceivedBits(after.Ports[0]));
        Assert.Equal(8000, rates.Bits(after.Links[0], after.Links[0].Directions[0]));
        Assert.Equal(10, rates.Frames(after.Links[0], after.Links[0].Directions[0]));
    }

    [Fact]
    public void OnePictureHasNone()
    {
        SwitchStatus after = Sample(uptime: 12, bytes: 3000, frames: 25);
        Assert.Null(new Rates(null, after).SentBits(after.Ports[0]));
    }

    [Fact]
    public void TwoPicturesOfOneMomentHaveNone()
    {
        SwitchStatus sample = Sample(uptime: 12, bytes: 3000, frames: 25);
        Assert.Null(new Rates(sample, sample).SentBits(sample.Ports[0]));
    }

    [Fact]
    public void ASwitchThatWasRestartedHasNone()
    {
        SwitchStatus before = Sample(uptime: 1, bytes: 1000, frames: 5);
        SwitchStatus after = Sample(uptime: 2, bytes: 3000, frames: 25);
        after.Switch.Started = new Timestamp { Seconds = 99 };
        Assert.Null(new Rates(before, after).SentBits(after.Ports[0]));
    }

    [Fact]
    public void ANewPortOfAnOldNameHasNone()
    {
        SwitchStatus before = Sample(uptime: 1, bytes: 1000, frames: 5);
        SwitchStatus after = Sample(uptime: 2, bytes: 10, frames: 1);
        Assert.Null(new Rates(before, after).SentBits(after.Ports[0]));
        after.Ports[0].Name = "new";
        Assert.Null(new Rates(before, after).SentBits(after.Ports[0]));
    }

    private static SwitchStatus Sample(long uptime, ulong bytes, ulong frames) => new()
    {
        Switch = new SwitchInfo { Pid = 1, Started = new Timestamp(), Uptime = new Duration { Seconds = uptime } },
        Ports = { new Port { Name = "a", Counters = new PortCounters { TxBytes = bytes, TxFrames = frames } } },
        Links =
        {
            new Link
            {
                Name = "l",
                Directions = { new LinkDirection { From = "a", To = "b", Bytes = bytes, Frames = frames } },
            },
        },
    };
}
