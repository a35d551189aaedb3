using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>What a device does with a queue, done by the code and by the model side by side.</summary>
internal static class QueueSteps
{
    private const int MaxCopy = 1 << 16;

    /// <summary>Pops from both, and compares what they say.</summary>
    public static (PopResult Result, ushort Head, ReferenceChain? Chain) PopOnly(QueueUnderTest queue, ReferenceQueue model, Tally tally)
    {
        var expected = model.Pop(out ushort head, out var chain);
        var actual = queue.Pop();
        FuzzException.UnlessEqual(expected, actual, chain is { } c ? $"pop of a chain of {c}" : "pop");
        FuzzException.UnlessEqual(model.NextAvailable, queue.NextAvailable, "next available index");
        tally.Count(expected switch
        {
            PopResult.Chain => "good chains",
            PopResult.BadChain => $"bad chain: {queue.Fault}",
            PopResult.BadRing => $"bad ring: {queue.Fault}",
            _ => "empty pops",
        });
        if (expected == PopResult.BadRing)
            FuzzException.UnlessEqual(model.RingFault, queue.Fault, "fault of the ring");
        if (chain == null)
            return (expected, head, null);
        FuzzException.UnlessEqual(head, queue.Chain.Ticket.Id, "head");
        if (expected == PopResult.BadChain)
            FuzzException.Unless(chain.Agrees(queue.Fault), $"fault of the chain: {chain} by the model, {queue.Fault} by the code");
        else
            Compare(queue.Chain, chain);
        tally.Saw("pop", (int)expected, (int)queue.Fault, chain.IsGood ? Shape(chain) : 0);
        return (expected, head, chain);
    }

    /// <summary>Pops a chain, reads it, writes to it, and gives it back.</summary>
    /// <returns>What came of the pop.</returns>
    public static PopResult Take(QueueUnderTest queue, ReferenceQueue model, Arena arena, Input input, Tally tally, bool publish = true)
    {
        var (result, head, chain) = PopOnly(queue, model, tally);
        if (result is PopResult.Empty or PopResult.BadRing)
            return result;
        uint written = 0;
        if (result == PopResult.Chain)
        {
            written = (uint)Math.Min(chain!.WritableBytes, input.Below(3) switch { 0 => MaxCopy, 1 => input.Below(64), _ => input.Below(MaxCopy) });
            byte[] bytes = input.Pattern((int)written);
            queue.Write(bytes, input.Between(1, 5));
            arena.Write(chain.Writable, bytes);
        }
        queue.Use(head, written);
        model.Use(head, written);
        if (publish)
            Publish(queue, model);
        arena.Check($"a chain of {chain} with {written} bytes written");
        return result;
    }

    public static void Publish(QueueUnderTest queue, ReferenceQueue model, int late = 0) =>
        FuzzException.UnlessEqual(model.Publish(late), queue.Publish(late), "whether the driver wants a call");

    /// <summary>A chain that both say is good has the same bytes.</summary>
    public static void Compare(Chain chain, ReferenceChain expected)
    {
        FuzzException.UnlessEqual(expected.ReadableBytes, (long)chain.ReadableBytes, "readable bytes");
        FuzzException.UnlessEqual(expected.WritableBytes, (long)chain.WritableBytes, "writable bytes");
        if (expected.ReadableBytes > MaxCopy)
            return;
        byte[] bytes = new byte[expected.ReadableBytes];
        var readable = chain.Readable;
        FuzzException.UnlessEqual(bytes.Length, readable.Read(bytes), "bytes read");
        FuzzException.Unless(bytes.AsSpan().SequenceEqual(expected.Read(expected.Readable)), "what was read is not what lies there");
    }

    private static int Shape(ReferenceChain chain) =>
        8 * Math.Min(3, Tally.Class((uint)chain.Readable.Count)) + Math.Min(3, Tally.Class((uint)chain.Writable.Count));
}
