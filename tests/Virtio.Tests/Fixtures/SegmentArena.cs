using System.Runtime.InteropServices;
using InterGuest.Virtio.Memory;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>Random segments with canaries before, between and behind them; adjacent now and then, and in any order.</summary>
internal sealed unsafe class SegmentArena : IDisposable
{
    private const byte Canary = 0xc5;

    private readonly int[] _starts;
    private readonly int[] _lengths;
    private readonly int _bytes;
    private readonly byte* _memory;
    private readonly Segment* _segments;

    internal SegmentArena(int[] lengths, int seed)
    {
        var random = new Random(seed);
        _lengths = lengths;
        _starts = new int[lengths.Length];
        int[] order = [.. Enumerable.Range(0, lengths.Length)];
        random.Shuffle(order);
        int at = 16;
        foreach (int i in order)
        {
            _starts[i] = at;
            at += lengths[i] + random.Next(4) * 3;
        }
        _bytes = at + 16;
        _memory = (byte*)NativeMemory.Alloc((nuint)_bytes);
        _segments = (Segment*)NativeMemory.Alloc((nuint)(lengths.Length + 1), (nuint)sizeof(Segment));
        new Span<byte>(_memory, _bytes).Fill(Canary);
        for (int i = 0; i < lengths.Length; i++)
        {
            _segments[i] = new Segment { Start = _memory + _starts[i], Length = (uint)lengths[i] };
            random.NextBytes(new Span<byte>(_memory + _starts[i], lengths[i]));
        }
    }

    internal int Total => _lengths.Sum();

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        NativeMemory.Free(_segments);
    }

    /// <summary>Lengths of segments, often 1.</summary>
    internal static int[] RandomLengths(Random random, int maxSegments)
    {
        int longest = random.Next(3) switch { 0 => 1, 1 => 16, _ => 3000 };
        int[] lengths = new int[random.Next(maxSegments + 1)];
        for (int i = 0; i < lengths.Length; i++)
            lengths[i] = random.Next(4) == 0 ? 1 : random.Next(1, longest + 1);
        return lengths;
    }

    internal SegmentCursor Cursor() => new(_segments, (ulong)Total);

    /// <summary>The bytes of all segments, one behind the other.</summary>
    internal byte[] Flat()
    {
        byte[] flat = new byte[Total];
        for (int i = 0, at = 0; i < _lengths.Length; at += _lengths[i++])
            new Span<byte>(_memory + _starts[i], _lengths[i]).CopyTo(flat.AsSpan(at));
        return flat;
    }

    internal void AssertCanaries()
    {
        byte[] inside = new byte[_bytes];
        for (int i = 0; i < _lengths.Length; i++)
            inside.AsSpan(_starts[i], _lengths[i]).Fill(1);
        for (int i = 0; i < _bytes; i++)
            if (inside[i] == 0 && _memory[i] != Canary)
                Assert.Fail($"byte {i} is outside every segment and was changed");
    }
}
