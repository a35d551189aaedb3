using InterGuest.Protos.V1;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.Block;

/// <summary>
/// A guest goes while the server has its writes, and the next one comes: what the server still does for the first must be over
/// before anything of the second reaches it (docs/block-serving.md, section 4).
/// </summary>
public class DepartedGuestTests
{
    private static readonly byte[] Old = RequestTests.Pattern(512, 1), New = RequestTests.Pattern(512, 2);

    [Fact]
    public void Section_4_NothingIsSentBeforeWhatTheGuestBeforeAskedForIsOver()
    {
        using var rig = new BlockRig();
        var (server, first) = rig.Run();
        using var _ = server;
        var (early, late) = (Ask(server, first, 7), Ask(server, first, 8));
        using var second = Next(rig, first);
        int write = second.Write(7, New);
        NothingComes(rig, server);
        server.Do(early.Request, early.Data);
        NothingComes(rig, server);
        server.Do(late.Request, late.Data);
        server.Serve(1);
        second.Ends(BlockStatus.Ok, write);
        Assert.Equal(New, server.Medium[(7 * 512)..(8 * 512)]);
        Assert.Equal(2ul, rig.Faults("store", "late_reply"));
    }

    [Fact]
    public void WhatIsOverBeforeTheNextGuestComesKeepsNobodyWaiting()
    {
        using var rig = new BlockRig();
        var (server, first) = rig.Run();
        using var _ = server;
        var (request, data) = Ask(server, first, 7);
        first.Dispose();
        rig.Switch.PortIn(PortState.Listening, "disk");
        server.Do(request, data);
        Assert.Equal((1ul, 0ul), (rig.Faults("store", "late_reply"), rig.Faults("store", "unknown_tag")));
        using var second = rig.Client();
        int read = second.Read(7, 512);
        server.Serve(1);
        Assert.Equal(Old, second.End(read).Data);
    }

    [Fact]
    public void OtherClientsAreNotKeptWaiting()
    {
        using var rig = new BlockRig();
        var (server, first) = rig.Run();
        using var _ = server;
        rig.AddOther();
        using var other = rig.Client(port: "other");
        Ask(server, first, 7);
        using var second = Next(rig, first);
        second.Write(7, New);
        NothingComes(rig, server);
        int read = other.Read(0, 512);
        server.Serve(1);
        other.Ends(BlockStatus.Ok, read);
    }

    /// <summary>The server's next epoch begins after the end of all that it did.</summary>
    [Fact]
    public void AServerThatComesAgainIsNotWaitedFor()
    {
        using var rig = new BlockRig();
        var (server, first) = rig.Run();
        Ask(server, first, 7);
        using var second = Next(rig, first);
        int write = second.Write(7, New);
        NothingComes(rig, server);
        server.Dispose();
        using var again = new DiskServer(rig.ServerSocket).Begin();
        again.Serve(1);
        second.Ends(BlockStatus.Ok, write);
    }

    /// <summary>As it is for a request that the server has and does not answer.</summary>
    [Fact]
    public void AServerThatNeverAnswersTheGuestBeforeIsLeftForANewEpoch()
    {
        using var rig = new BlockRig(failAfter: TimeSpan.FromMilliseconds(300));
        var (server, first) = rig.Run();
        using var _ = server;
        Ask(server, first, 7);
        using var second = Next(rig, first);
        second.Ends(BlockStatus.IoError, second.Write(7, New));
        server.Begin();
        int read = second.Read(7, 512);
        server.Serve(1);
        second.Ends(BlockStatus.Ok, read);
    }

    [Fact]
    public void ALinkThatIsMadeAnewBeginsANewEpoch()
    {
        using var rig = new BlockRig();
        var (server, first) = rig.Run();
        using var _ = server;
        Ask(server, first, 7);
        using var second = Next(rig, first);
        int write = second.Write(7, New);
        NothingComes(rig, server);
        rig.Switch.Do(b => b.DeleteLink("d1"));
        rig.Switch.AddLink("again", "disk", "store");
        server.Begin().Serve(1);
        second.Ends(BlockStatus.Ok, write);
    }

    /// <summary>A guest writes, and the server takes that and does not answer yet.</summary>
    private static (BlockServingRequest Request, byte[] Data) Ask(DiskServer server, DiskClient client, ulong sector)
    {
        client.Write(sector, Old);
        return server.Next();
    }

    /// <summary>A guest goes, as one does that is killed, and another comes.</summary>
    private static DiskClient Next(BlockRig rig, DiskClient before)
    {
        before.Dispose();
        rig.Switch.PortIn(PortState.Listening, "disk");
        return rig.Client();
    }

    /// <summary>The switch has a request and does not send it: in the turn that took it, it would have.</summary>
    private static void NothingComes(BlockRig rig, DiskServer server)
    {
        rig.Switch.PortWhen("disk", p => p.Counters.RequestsInFlight == 1, "the request is taken");
        rig.Switch.LetItLook("disk");
        Assert.False(server.Guest.Receive().HasUsed, "a request comes before its time");
    }
}
