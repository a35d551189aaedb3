using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace InterGuest.Virtio.Memory;

/// <summary>
/// The Internet checksum (RFC 1071): one's complement sums of 16-bit words in network byte order, over guest memory and
/// over our own.
/// </summary>
/// <remarks>
/// A guest may change the bytes while they are added up, and between that and their copy. Only the value of the sum depends on
/// them: then the frame arrives with a wrong checksum, as it would from a driver that computed a wrong one itself.
/// </remarks>
public static unsafe class GuestChecksum
{
    /// <summary>Adds bytes of our own to a sum.</summary>
    /// <param name="sum">Of what lies before: an even number of bytes.</param>
    /// <param name="bytes">If their count is odd, a zero byte is thought behind them.</param>
    public static ushort Add(ushort sum, ReadOnlySpan<byte> bytes)
    {
        // SAFETY: exactly the bytes of the span are read.
        fixed (byte* start = bytes)
            return Fold((uint)sum + InNetworkOrder(SumOf(start, (uint)bytes.Length)));
    }

    /// <summary>Adds the next bytes of a guest's to a sum, and moves past them.</summary>
    /// <param name="sum">Of what lies before: an even number of bytes.</param>
    /// <param name="bytes">Where they begin.</param>
    /// <param name="count">At most what remains there is added.</param>
    public static ushort Add(ushort sum, ref SegmentCursor bytes, ulong count)
    {
        ulong total = sum;
        bool odd = false;
        for (ulong left = Math.Min(count, bytes.Remaining); left > 0;)
        {
            uint run = bytes.Run((uint)Math.Min(left, uint.MaxValue));
            // SAFETY: Run gives bytes inside the segment, which the chain's walk translated.
            ushort part = SumOf(bytes.Here, run);
            // A piece that begins in the middle of a word has its bytes in each other's places (RFC 1071, 2 (B)).
            total += odd == BitConverter.IsLittleEndian ? part : BinaryPrimitives.ReverseEndianness(part);
            odd ^= (run & 1) != 0;
            bytes.Skip(run);
            left -= run;
        }
        return Fold(total);
    }

    /// <summary>Takes carries back in until 16 bits are left.</summary>
    public static ushort Fold(ulong sum)
    {
        while (sum > ushort.MaxValue)
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        return (ushort)sum;
    }

    private static ushort InNetworkOrder(ushort sum) =>
        BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(sum) : sum;

    /// <summary>The sum of words as this machine reads them: byte order changes the sum's bytes alone (RFC 1071, 2 (B)).</summary>
    private static ushort SumOf(byte* from, uint length)
    {
        byte* end = from + length;
        ulong sum = 0;
        if (Vector256.IsHardwareAccelerated)
            sum = SumOfBlocks(ref from, end);
        for (; end - from >= sizeof(uint); from += sizeof(uint))
            sum += *(uint*)from;
        if (end - from >= sizeof(ushort))
        {
            sum += *(ushort*)from;
            from += sizeof(ushort);
        }
        if (from < end)
            sum += BitConverter.IsLittleEndian ? *from : (uint)*from << 8;
        return Fold(sum);
    }

    /// <summary>All whole blocks: 32-bit words added up in 64-bit lanes, which 4 GiB cannot fill.</summary>
    private static ulong SumOfBlocks(ref byte* from, byte* end)
    {
        var low = Vector256<ulong>.Zero;
        var high = Vector256<ulong>.Zero;
        var mask = Vector256.Create((ulong)uint.MaxValue);
        for (; end - from >= 2 * Vector256<byte>.Count; from += 2 * Vector256<byte>.Count)
        {
            var first = Vector256.Load((ulong*)from);
            var second = Vector256.Load((ulong*)from + Vector256<ulong>.Count);
            low += (first & mask) + (second & mask);
            high += (first >>> 32) + (second >>> 32);
        }
        return Vector256.Sum(low + high);
    }
}
