using System.Buffers.Binary;
using System.Numerics;

namespace InterGuest.Agent.Net;

/// <summary>What a <see cref="TestFrame"/> is for.</summary>
internal enum FrameKind : ushort
{
    /// <summary>Load: to be counted.</summary>
    Data = 1,

    /// <summary>To be sent back at once.</summary>
    EchoRequest = 2,

    /// <summary>Sent back.</summary>
    EchoReply = 3,
}

/// <summary>
/// The frames of ping, blast and sink: Ethernet, with a type for local experiments, and behind it a head of its own with a
/// checksum over itself and one over the payload. Little-endian.
/// </summary>
/// <param name="Kind">What for.</param>
/// <param name="Run">A random number of the sender's run, so that one that was restarted is not taken for loss.</param>
/// <param name="Sequence">From 0 on, without gaps.</param>
/// <param name="Timestamp">When it was sent, by the sender's own clock and in its units.</param>
internal readonly record struct TestFrame(FrameKind Kind, uint Run, ulong Sequence, long Timestamp)
{
    /// <summary>The smallest frame of Ethernet, without its checksum.</summary>
    public const int MinBytes = 60;

    /// <summary>Beyond what segmentation makes; the switch carries it all the same.</summary>
    public const int MaxBytes = 65535;

    private const int SourceAt = 6, TypeAt = 12, MagicAt = 14, KindAt = 18, LengthAt = 20, RunAt = 24, SequenceAt = 28;
    private const int TimestampAt = 36, PayloadSumAt = 44, HeadSumAt = 48, PayloadAt = 52;
    private const ushort LocalExperimental = 0x88b5;
    private const uint Magic = 0x54414749; // "IGAT"

    /// <summary>Makes a buffer ready: addresses, type, and a payload with its sum. The rest is <see cref="Write"/>'s.</summary>
    /// <param name="frame">The whole frame.</param>
    /// <param name="source">Six bytes.</param>
    /// <param name="seed">Makes the payload differ from others'.</param>
    public static void Prepare(Span<byte> frame, ReadOnlySpan<byte> source, uint seed)
    {
        frame[..SourceAt].Fill(0xff);
        source.CopyTo(frame[SourceAt..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[TypeAt..], LocalExperimental);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[MagicAt..], Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[LengthAt..], (uint)frame.Length);
        var payload = frame[PayloadAt..];
        for (int i = 0; i < payload.Length; i++)
            payload[i] = (byte)(seed * 31 + (uint)i * 7 + (uint)(i >> 8));
        BinaryPrimitives.WriteUInt32LittleEndian(frame[PayloadSumAt..], Sum(payload));
    }

    /// <summary>Writes this into a buffer that is ready.</summary>
    public void Write(Span<byte> frame)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(frame[KindAt..], (ushort)Kind);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[RunAt..], Run);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[SequenceAt..], Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(frame[TimestampAt..], Timestamp);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[HeadSumAt..], Sum(frame[MagicAt..HeadSumAt]));
    }

    /// <summary>Whether it is one of these frames, right or not: others' frames are none of our business.</summary>
    public static bool IsOne(ReadOnlySpan<byte> frame) =>
        frame.Length >= MinBytes && BinaryPrimitives.ReadUInt16BigEndian(frame[TypeAt..]) == LocalExperimental
        && BinaryPrimitives.ReadUInt32LittleEndian(frame[MagicAt..]) == Magic;

    /// <summary>Reads a frame, if it came as it was sent.</summary>
    /// <param name="frame">One of these, by <see cref="IsOne"/>.</param>
    /// <param name="checkPayload">Whether to look at the payload, which takes time for long frames.</param>
    /// <param name="read">What it says.</param>
    public static bool TryRead(ReadOnlySpan<byte> frame, bool checkPayload, out TestFrame read)
    {
        read = new TestFrame(
            (FrameKind)BinaryPrimitives.ReadUInt16LittleEndian(frame[KindAt..]),
            BinaryPrimitives.ReadUInt32LittleEndian(frame[RunAt..]),
            BinaryPrimitives.ReadUInt64LittleEndian(frame[SequenceAt..]),
            BinaryPrimitives.ReadInt64LittleEndian(frame[TimestampAt..]));
        return Sum(frame[MagicAt..HeadSumAt]) == BinaryPrimitives.ReadUInt32LittleEndian(frame[HeadSumAt..])
            && BinaryPrimitives.ReadUInt32LittleEndian(frame[LengthAt..]) == frame.Length
            && (!checkPayload || Sum(frame[PayloadAt..]) == BinaryPrimitives.ReadUInt32LittleEndian(frame[PayloadSumAt..]));
    }

    /// <summary>CRC-32C: a processor has an instruction for it.</summary>
    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            sum = BitOperations.Crc32C(sum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte one in bytes)
            sum = BitOperations.Crc32C(sum, one);
        return ~sum;
    }
}
