using FsCheck;
using FsCheck.Fluent;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

/// <summary>The one copy, for any layout on both sides.</summary>
public class CopyPropertyTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithMaxTest(400);

    private static readonly Arbitrary<int[]> Lengths = Arb.From(
        Gen.ListOf(Gen.OneOf(Gen.Constant(1), Gen.Choose(1, 16), Gen.Choose(1, 3000))).Select(l => l.ToArray()),
        l => l.Length > 1 ? [l[1..], l[..^1]] : []);

    /// <summary>Copied in any steps: the bytes that arrive are those that left, as many as were said, and no other byte changes.</summary>
    [Fact]
    public void AnySegmentsInAnySteps() => Prop.ForAll(Lengths, Lengths, Lengths, (from, to, steps) =>
    {
        using var source = new SegmentArena(from, from.Length);
        using var target = new SegmentArena(to, to.Length + 1000);
        byte[] sent = source.Flat(), before = target.Flat();
        var (read, write) = (source.Cursor(), target.Cursor());
        int copied = 0;
        foreach (int step in steps)
        {
            int expected = Math.Min(step, Math.Min(sent.Length, before.Length) - copied);
            Assert.Equal((ulong)expected, GuestCopy.Copy(ref read, ref write, (ulong)step));
            copied += expected;
            Assert.Equal((ulong)(sent.Length - copied), read.Remaining);
            Assert.Equal((ulong)(before.Length - copied), write.Remaining);
        }
        Assert.Equal([.. sent[..copied], .. before[copied..]], target.Flat());
        Assert.Equal(sent, source.Flat());
        source.AssertCanaries();
        target.AssertCanaries();
    }).Check(Runs);
}
