using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Tests.Queues;

public class RingLayoutTests
{
    [Theory]
    [InlineData(1, 16UL, 8UL, 14UL)]
    [InlineData(256, 4096UL, 518UL, 2054UL)]
    [InlineData(32768, 524288UL, 65542UL, 262150UL)]
    public void Spec_2_7_BytesOfTheAreas(int size, ulong descriptors, ulong available, ulong used)
    {
        Assert.Equal(descriptors, RingLayout.DescriptorBytes(size));
        Assert.Equal(available, RingLayout.AvailableBytes(size));
        Assert.Equal(used, RingLayout.UsedBytes(size));
    }

    [Theory]
    [InlineData(16UL, 2UL, 4UL, true)]
    [InlineData(16UL, 2UL, 4UL, false, true)]
    [InlineData(16UL, 4UL, 4UL, true, true)]
    [InlineData(16UL, 4UL, 2UL, false, true)]
    [InlineData(8UL, 2UL, 4UL, false)]
    [InlineData(16UL, 1UL, 4UL, false)]
    [InlineData(16UL, 2UL, 2UL, false)]
    [InlineData(0UL, 0UL, 0UL, true)]
    public void Spec_2_7_and_2_8_Alignment(ulong descriptors, ulong available, ulong used, bool aligned, bool packed = false) =>
        Assert.Equal(aligned, RingLayout.IsAligned((nuint)descriptors, (nuint)available, (nuint)used, packed));
}
